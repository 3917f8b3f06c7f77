"""The studio: a page on this machine on which pictures are dreamt on, watched and kept."""
