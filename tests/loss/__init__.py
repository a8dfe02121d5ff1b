"""No silent loss: what arrives and what is reported as lost is what was sent, exactly, on every path."""
