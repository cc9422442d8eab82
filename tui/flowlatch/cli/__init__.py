"""The command line: one module per noun, loaded when it is called; `output` is the only printer."""
