"""Record and replay: every event that reaches programs, in a file (docs/record-and-replay.md).

tap.py       the seam: what sees all that reaches programs;  watched_gpio.py  a backend that tells what is written
recorder.py  the tap that records;  replayer.py  the tap that replays
stream.py    entries on their way to the file, and the thread that writes them
entries.py   what a recording consists of;  codec.py  entries to bytes and back
blocks.py    the frames of the file, with checksums;  header.py  what a file says of itself
reading.py   a file, back to entries; what is lost of a damaged one
hook_names.py  hooks to their names and back;  digests.py  what maps and programs hold, in a few digits
fields.py, rows.py  events as fields, entries as rows;  tables.py  CSV and Parquet
vcd_export.py, vcd_import.py  to and from Value Change Dumps
"""
