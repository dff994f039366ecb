"""From a photo to its painting: the style, faces as portraits, the film's colours, the size."""
