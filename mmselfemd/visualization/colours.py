"""Colours that eyes with any colour vision tell apart.

From the palette of Okabe and Ito, https://jfly.uni-koeln.de/color/. Lines
differ in their dashes as well, and frames in their width.
"""

#: Colour and dashes of a match, by what is known of it.
MATCH_STYLES = dict(
    right=('#0072b2', 'solid'),
    wrong=('#d55e00', (0, (4, 2))),
    unknown=('#888888', (0, (1, 1.5))),
)

#: What the words of :data:`MATCH_STYLES` mean to a reader.
MATCH_LABELS = dict(
    right='right: within one cell of the true place',
    wrong='wrong',
    unknown='not judged: no node of crop 2 is near the true place',
)

#: Colours of the views of an image, from the first on.
VIEW_COLOURS = ('#f0e442', '#56b4e9', '#e69f00', '#cc79a7', '#009e73')

#: The chosen positions.
GREEN = '#39ff14'
