"""The page of each diagnostic code. This file makes the folder a package, so that a wheel has the pages."""
