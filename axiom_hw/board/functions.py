"""What else the lines of the header can be: the alternative functions of each chip, as `pinctrl` names them, shortened.

One row a line, 0 to 27; a dash is no function. GPIO itself, and on the RP1 the two that every line has (registers of
the processor, PIO), are left out. Sources: `rp1_gpio_pin_funcs` in drivers/pinctrl/pinctrl-rp1.c; gpiochip_rp1.c
and gpiochip_bcm2835.c in raspberrypi/utils. PWM0 to PWM3 are the channels of the header's PWM chip; TXD, RXD, CTS and
RTS are UARTs; SDA and SCL are I2C.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

# a0 to a4, and a8: a5 is GPIO, a6 the processor's registers, a7 PIO
_RP1: Final = """
    SPI0_SIO3  DPI_PCLK   TXD1       SDA0      -           SPI2_CE0
    SPI0_SIO2  DPI_DE     RXD1       SCL0      -           SPI2_SIO1
    SPI0_CE3   DPI_VSYNC  CTS1       SDA1      IR_RX0      SPI2_SIO0
    SPI0_CE2   DPI_HSYNC  RTS1       SCL1      IR_TX0      SPI2_SCLK
    GPCLK0     DPI_D0     TXD2       SDA2      RI0         SPI3_CE0
    GPCLK1     DPI_D1     RXD2       SCL2      DTR0        SPI3_SIO1
    GPCLK2     DPI_D2     CTS2       SDA3      DCD0        SPI3_SIO0
    SPI0_CE1   DPI_D3     RTS2       SCL3      DSR0        SPI3_SCLK
    SPI0_CE0   DPI_D4     TXD3       SDA0      -           SPI4_CE0
    SPI0_MISO  DPI_D5     RXD3       SCL0      -           SPI4_SIO0
    SPI0_MOSI  DPI_D6     CTS3       SDA1      -           SPI4_SIO1
    SPI0_SCLK  DPI_D7     RTS3       SCL1      -           SPI4_SCLK
    PWM0       DPI_D8     TXD4       SDA2      AAUD_LEFT   SPI5_CE0
    PWM1       DPI_D9     RXD4       SCL2      AAUD_RIGHT  SPI5_SIO1
    PWM2       DPI_D10    CTS4       SDA3      TXD0        SPI5_SIO0
    PWM3       DPI_D11    RTS4       SCL3      RXD0        SPI5_SCLK
    SPI1_CE2   DPI_D12    DSI0_TE    -         CTS0        -
    SPI1_CE1   DPI_D13    DSI1_TE    -         RTS0        -
    SPI1_CE0   DPI_D14    I2S0_SCLK  PWM2      I2S1_SCLK   GPCLK1
    SPI1_MISO  DPI_D15    I2S0_WS    PWM3      I2S1_WS     -
    SPI1_MOSI  DPI_D16    I2S0_SDI0  GPCLK0    I2S1_SDI0   -
    SPI1_SCLK  DPI_D17    I2S0_SDO0  GPCLK1    I2S1_SDO0   -
    SD0_CLK    DPI_D18    I2S0_SDI1  SDA3      I2S1_SDI1   -
    SD0_CMD    DPI_D19    I2S0_SDO1  SCL3      I2S1_SDO1   -
    SD0_DAT0   DPI_D20    I2S0_SDI2  -         I2S1_SDI2   SPI2_CE1
    SD0_DAT1   DPI_D21    I2S0_SDO2  MIC_CLK   I2S1_SDO2   SPI3_CE1
    SD0_DAT2   DPI_D22    I2S0_SDI3  MIC_DAT0  I2S1_SDI3   SPI5_CE1
    SD0_DAT3   DPI_D23    I2S0_SDO3  MIC_DAT1  I2S1_SDO3   SPI1_CE1
"""

# ALT0 to ALT5
_BCM2711: Final = """
    SDA0       SA5    PCLK     SPI3_CE0    TXD2       SDA6
    SCL0       SA4    DE       SPI3_MISO   RXD2       SCL6
    SDA1       SA3    VSYNC    SPI3_MOSI   CTS2       SDA3
    SCL1       SA2    HSYNC    SPI3_SCLK   RTS2       SCL3
    GPCLK0     SA1    DPI_D0   SPI4_CE0    TXD3       SDA3
    GPCLK1     SA0    DPI_D1   SPI4_MISO   RXD3       SCL3
    GPCLK2     SOE_N  DPI_D2   SPI4_MOSI   CTS3       SDA4
    SPI0_CE1   SWE_N  DPI_D3   SPI4_SCLK   RTS3       SCL4
    SPI0_CE0   SD0    DPI_D4   I2CSL_CE    TXD4       SDA4
    SPI0_MISO  SD1    DPI_D5   I2CSL_MISO  RXD4       SCL4
    SPI0_MOSI  SD2    DPI_D6   I2CSL_SDA   CTS4       SDA5
    SPI0_SCLK  SD3    DPI_D7   I2CSL_SCL   RTS4       SCL5
    PWM0       SD4    DPI_D8   SPI5_CE0    TXD5       SDA5
    PWM1       SD5    DPI_D9   SPI5_MISO   RXD5       SCL5
    TXD0       SD6    DPI_D10  SPI5_MOSI   CTS5       TXD1
    RXD0       SD7    DPI_D11  SPI5_SCLK   RTS5       RXD1
    -          SD8    DPI_D12  CTS0        SPI1_CE2   CTS1
    -          SD9    DPI_D13  RTS0        SPI1_CE1   RTS1
    PCM_CLK    SD10   DPI_D14  SPI6_CE0    SPI1_CE0   PWM0
    PCM_FS     SD11   DPI_D15  SPI6_MISO   SPI1_MISO  PWM1
    PCM_DIN    SD12   DPI_D16  SPI6_MOSI   SPI1_MOSI  GPCLK0
    PCM_DOUT   SD13   DPI_D17  SPI6_SCLK   SPI1_SCLK  GPCLK1
    SD0_CLK    SD14   DPI_D18  SD1_CLK     ARM_TRST   SDA6
    SD0_CMD    SD15   DPI_D19  SD1_CMD     ARM_RTCK   SCL6
    SD0_DAT0   SD16   DPI_D20  SD1_DAT0    ARM_TDO    SPI3_CE1
    SD0_DAT1   SD17   DPI_D21  SD1_DAT1    ARM_TCK    SPI4_CE1
    SD0_DAT2   -      DPI_D22  SD1_DAT2    ARM_TDI    SPI5_CE1
    SD0_DAT3   -      DPI_D23  SD1_DAT3    ARM_TMS    SPI6_CE1
"""

# ALT0 to ALT5; without the video bus that no board leads out
_BCM2835: Final = """
    SDA0       SA5    PCLK     -           -          -
    SCL0       SA4    DE       -           -          -
    SDA1       SA3    VSYNC    -           -          -
    SCL1       SA2    HSYNC    -           -          -
    GPCLK0     SA1    DPI_D0   -           -          ARM_TDI
    GPCLK1     SA0    DPI_D1   -           -          ARM_TDO
    GPCLK2     SOE_N  DPI_D2   -           -          ARM_RTCK
    SPI0_CE1   SWE_N  DPI_D3   -           -          -
    SPI0_CE0   SD0    DPI_D4   -           -          -
    SPI0_MISO  SD1    DPI_D5   -           -          -
    SPI0_MOSI  SD2    DPI_D6   -           -          -
    SPI0_SCLK  SD3    DPI_D7   -           -          -
    PWM0       SD4    DPI_D8   -           -          ARM_TMS
    PWM1       SD5    DPI_D9   -           -          ARM_TCK
    TXD0       SD6    DPI_D10  -           -          TXD1
    RXD0       SD7    DPI_D11  -           -          RXD1
    -          SD8    DPI_D12  CTS0        SPI1_CE2   CTS1
    -          SD9    DPI_D13  RTS0        SPI1_CE1   RTS1
    PCM_CLK    SD10   DPI_D14  I2CSL_SDA   SPI1_CE0   PWM0
    PCM_FS     SD11   DPI_D15  I2CSL_SCL   SPI1_MISO  PWM1
    PCM_DIN    SD12   DPI_D16  I2CSL_MISO  SPI1_MOSI  GPCLK0
    PCM_DOUT   SD13   DPI_D17  I2CSL_CE    SPI1_SCLK  GPCLK1
    SD0_CLK    SD14   DPI_D18  SD1_CLK     ARM_TRST   -
    SD0_CMD    SD15   DPI_D19  SD1_CMD     ARM_RTCK   -
    SD0_DAT0   SD16   DPI_D20  SD1_DAT0    ARM_TDO    -
    SD0_DAT1   SD17   DPI_D21  SD1_DAT1    ARM_TCK    -
    SD0_DAT2   TE0    DPI_D22  SD1_DAT2    ARM_TDI    -
    SD0_DAT3   TE1    DPI_D23  SD1_DAT3    ARM_TMS    -
"""


def _rows(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row.split()) for row in text.strip().splitlines())


# Per chip label: the names of the columns, and the rows.
COLUMNS: Final = MappingProxyType({
    "pinctrl-rp1": ("A0", "A1", "A2", "A3", "A4", "A8"),
    "pinctrl-bcm2711": ("ALT0", "ALT1", "ALT2", "ALT3", "ALT4", "ALT5"),
    "pinctrl-bcm2835": ("ALT0", "ALT1", "ALT2", "ALT3", "ALT4", "ALT5"),
})  # fmt: skip
FUNCTIONS: Final = MappingProxyType({
    "pinctrl-rp1": _rows(_RP1),
    "pinctrl-bcm2711": _rows(_BCM2711),
    "pinctrl-bcm2835": _rows(_BCM2835),
})  # fmt: skip
