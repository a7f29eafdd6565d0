"""Writes the fixtures of this folder with NumPy and safetensors, as other programs would."""

import numpy as np
from numpy.lib import format as npy
from safetensors.numpy import save_file

matrix = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [-1.5, 0.1, 1e-40]])


def write(name, array, version=(1, 0)):
    with open(name, "wb") as file:
        npy.write_array(file, array, version=version)


write("c_f4.npy", matrix.astype("<f4"))
write("fortran_f4.npy", np.asfortranarray(matrix.astype("<f4")))
write("c_f8.npy", matrix.astype("<f8"))
write("fortran_f8.npy", np.asfortranarray(matrix.astype("<f8")))
write("version_2.npy", matrix.astype("<f4"), (2, 0))
write("version_3.npy", matrix.astype("<f4"), (3, 0))
write("beyond_f4.npy", np.array([[1e300, -1e300, np.inf, np.nan, 1.0]]))
write("big_endian_f4.npy", matrix.astype(">f4"))
write("half.npy", matrix.astype("<f2"))
write("whole.npy", matrix.astype("<i4"))
write("structured.npy", np.zeros((2, 2), [("x", "<f4"), ("y", "<f4")]))
write("scalar.npy", np.float32(3.0).reshape(()))
write("vector.npy", np.arange(3, dtype="<f4"))
write("cube.npy", np.zeros((2, 2, 2), "<f4"))
write("no_rows.npy", np.zeros((0, 3), "<f4"))
write("no_columns.npy", np.zeros((3, 0), "<f4"))
save_file({"models": matrix.astype("<f4")}, "matrix.safetensors", {"made-by": "numpy"})
save_file({"b": matrix[1].astype("<f8"), "a": matrix[0].astype("<f4")}, "rows.safetensors")
save_file(
    {"models": matrix.astype("<f4"), "step": np.array([7], "<i8")}, "mixed.safetensors"
)
save_file({"a": np.zeros(3, "<f4"), "b": np.zeros(2, "<f4")}, "unequal.safetensors")
save_file({"half": matrix.astype("<f2")}, "half.safetensors")
np.savetxt("savetxt.csv", matrix, delimiter=",", header="x,y,z")
