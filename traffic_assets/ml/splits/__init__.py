"""Which row goes to which split, fold or half, and how that is counted, audited and shown."""
