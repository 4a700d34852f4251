"""Performance side by side with its floor, as ratios: `make bench`. Nothing here is an assertion."""
