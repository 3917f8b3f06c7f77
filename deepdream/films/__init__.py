"""Films: frames in, steady dreams, frames out.

`source` gives the frames of a film, an animation, a folder or a list; `target` and `reel` make a
film of dreamt frames, the second so that hours of work outlive Ctrl-C, a kill and a full disk.
"""
