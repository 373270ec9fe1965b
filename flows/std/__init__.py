"""The flows that ship with flowc, as `std/NAME.flow`. This file makes the folder a package, so that a wheel has it."""
