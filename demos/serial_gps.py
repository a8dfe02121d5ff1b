"""A GPS receiver talks NMEA 0183; a program checks each sentence, picks the position, and streams it as integers.

Wiring (boards/rpi5-sensors.toml): the receiver's TX to GPIO15 (pin 10), its supply, ground.

    axiom-hw run demos/serial_gps.py --mock        # no hardware: a receiver in memory, in virtual time
    axiom-hw run demos/serial_gps.py               # on the Pi, until Ctrl-C
"""

import axiom_hw as hw

COMMA, DOT, STAR, SOUTH, WEST, VALID = (ord(letter) for letter in ",.*SWA")
RMC = int.from_bytes(b"RMC")  # $GPRMC,time,A,latitude,N,longitude,E,...*checksum: where we are, and how fast
GGA = int.from_bytes(b"GGA")  # $GPGGA,time,latitude,N,longitude,E,quality,satellites,...*checksum
DECIMALS = 5  # of a minute: 2 cm
PADDING = (1, 10, 100, 1_000, 10_000, 100_000, 100_000, 1)  # for the decimals that a number doesn't have


@hw.layout(size=24)
class Fix:
    """A position."""

    timestamp_ns: hw.u64
    latitude_e7: hw.s32  # degrees times 10^7, north is positive
    longitude_e7: hw.s32  # east is positive
    satellites: hw.u32  # as the last GGA sentence said
    lost: hw.u32  # bytes that came damaged just before


@hw.layout(size=56)
class Reading:
    """A sentence as far as it was read. It lies in a map, so that the proof needn't follow what its numbers can be."""

    first: hw.u32  # the field that is the latitude
    is_gga: hw.u32
    field: hw.u32  # commas so far
    left: hw.u32  # decimals that may still come; one more before the point
    number: hw.u64  # of the field
    latitude: hw.s64
    longitude: hw.s64
    satellites: hw.u64
    total: hw.u32  # exclusive or of the bytes
    valid: hw.u32


app = hw.App("serial_gps", board="rpi5-sensors")
reading = app.array("reading", Reading)
sentences = app.hash("sentences", hw.u32, hw.u64)  # how many came, by type
damaged = app.array("damaged", hw.u64)
fixes = app.ringbuf("fixes", Fix)


def degrees_e7(minutes_e5: hw.u64) -> int:
    """NMEA writes degrees and minutes as one number: 4807.038 is 48 degrees and 7.038 minutes."""
    return minutes_e5 // 10_000_000 * 10_000_000 + minutes_e5 % 10_000_000 * 5 // 3


def hex_digit(byte: hw.u8) -> int:
    """What a digit is worth; 255 for what is none."""
    if 48 <= byte <= 57:
        return byte - 48
    return byte - 55 if 65 <= byte <= 70 else 255


@app.on("serial/gps")
def position(ctx: hw.SerialEvent) -> int:
    """A record is a line of up to 96 bytes, without its end."""
    now = reading.get(0)
    if now is None:
        return 0
    kind = ctx.data[3] << 16 | ctx.data[4] << 8 | ctx.data[5]
    now.first = 2 if kind == GGA else 3
    now.is_gga = kind == GGA
    now.field, now.left, now.number, now.total, now.valid = 0, DECIMALS + 1, 0, 0, 0
    end = 0
    for i in range(1, 94):
        byte = ctx.data[i]
        if byte == STAR:
            end = i
            break
        now.total ^= byte
        if byte == COMMA:
            if now.field == now.first:
                now.latitude = degrees_e7(now.number * PADDING[now.left % 8])
            elif now.field == now.first + 2:
                now.longitude = degrees_e7(now.number * PADDING[now.left % 8])
            elif now.is_gga and now.field == 7:
                now.satellites = now.number
            now.field, now.left, now.number = now.field + 1, DECIMALS + 1, 0
        elif byte == DOT:
            now.left = DECIMALS
        elif 48 <= byte <= 57 and now.left > 0:
            now.number = now.number * 10 + byte - 48
            now.left -= now.left <= DECIMALS
        elif byte == SOUTH and now.field == now.first + 1:
            now.latitude = -now.latitude
        elif byte == WEST and now.field == now.first + 3:
            now.longitude = -now.longitude
        elif byte == VALID and now.field == 2:
            now.valid = 1
    if hex_digit(ctx.data[end + 1]) * 16 + hex_digit(ctx.data[end + 2]) != now.total:
        damaged[0] += 1
        return 0
    sentences[kind] += 1
    if kind == RMC and now.valid:
        fixes.output(Fix(ctx.timestamp_ns, now.latitude, now.longitude, now.satellites, ctx.lost))
    return 0


def sentence(text: str) -> bytes:
    """With what makes it one: `$`, the checksum, the end of the line."""
    total = 0
    for byte in text.encode():
        total ^= byte
    return f"${text}*{total:02X}\r\n".encode()


@app.scenario
def receiver(bench: hw.MockBench) -> None:
    """A walk along the equator near Greenwich; one sentence comes damaged, one is far too long."""
    rmc = "GPRMC,12000{0}.00,A,0000.{1:05},{2},00000.{3:05},{4},0.5,90.0,221126,,,A"
    gga = "GPGGA,12000{0}.00,0000.{1:05},{2},00000.{3:05},{4},1,{5},0.9,45.0,M,46.9,M,,"
    steps = ((300, "S", 600, "W"), (150, "S", 300, "W"), (0, "N", 0, "E"), (150, "N", 300, "E"), (300, "N", 600, "E"))
    for at, (north, ns, east, ew) in enumerate(steps):
        come = bench.after("1s")
        come.feed("gps", sentence(gga.format(at, north, ns, east, ew, 7 + at)))
        if at == 2:
            come.feed("gps", sentence("GPTXT,01,01,02," + 80 * "x"))  # no record has room for it
        line = sentence(rmc.format(at, north, ns, east, ew))
        come.feed("gps", line if at != 1 else line.replace(b"A", b"a", 1))  # 1: a bit was flipped


def show() -> None:
    for fix in fixes:
        where = f"latitude {fix.latitude_e7 / 1e7:+.7f}  longitude {fix.longitude_e7 / 1e7:+.7f}"
        print(f"{fix.timestamp_ns / 1e9:6.3f} s  {where}  satellites {fix.satellites:2}  lost {fix.lost}", flush=True)
    print(f"sentences {sentences[RMC]} RMC, {sentences[GGA]} GGA; damaged {damaged[0]}")


if __name__ == "__main__":
    app.main(show)
