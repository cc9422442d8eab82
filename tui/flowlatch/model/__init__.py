"""What a run is: pure values and rules, without I/O, clock or screen."""
