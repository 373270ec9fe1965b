"""The command line: parse arguments, call a layer below, print, exit."""
