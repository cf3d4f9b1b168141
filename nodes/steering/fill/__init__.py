"""Fill: which files each site is to have before they are asked for, from where, and on which edges. It copies nothing."""
