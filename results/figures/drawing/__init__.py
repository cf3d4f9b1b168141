"""What figures are drawn with: a canvas, scales, palette. It knows no run and no metric."""
