"""Many pictures of one net: jobs, made one after the other here, or on a cluster.

`job` says what a job is and makes it, in whichever process; `run` gives jobs out and hands back
what comes of them. Galleries, batches and others say which jobs there are, and write the files.
"""
