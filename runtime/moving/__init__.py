"""Moving a stored conversation from one version of its bot to the next: pure, over programs, without their sources.

`needs` says what a place of a flow relies on, `fates` what becomes of each place, `move` moves one position.
"""
