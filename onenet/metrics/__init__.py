"""How good masks are: counts over a whole data set first, figures from the counts afterwards."""
