"""HDF5 stores: names, dtypes, versions, sharding, atomic writes, and the run that holds them."""
