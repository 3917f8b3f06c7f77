"""Reading: Caffe's files of every year become messages and arrays of today's form.

`proto` is the door: text, weights and means in, messages and arrays out. `upgrade` brings old
messages up to date. Nothing here builds a layer.
"""
