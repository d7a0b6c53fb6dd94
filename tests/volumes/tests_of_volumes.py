"""A DICOM series for tests, written by pydicom."""

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

ACROSS, DOWN = np.array([0.8, 0.6, 0.0]), np.array([0.0, 0.0, -1.0])
NORMAL = np.cross(ACROSS, DOWN)
STEP = 2.5


def write(path, pixels, along, uid, **changes):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    header.SeriesInstanceUID, header.StudyInstanceUID, header.Modality = uid, generate_uid(), "CT"
    header.Rows, header.Columns = pixels.shape
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation, header.SamplesPerPixel = 15, 0, 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.RescaleSlope, header.RescaleIntercept = 1, -1024
    header.PixelSpacing, header.SliceThickness = [0.5, 0.75], STEP
    header.ImageOrientationPatient = [*ACROSS, *DOWN]
    header.ImagePositionPatient = [float(v) for v in np.array([10.0, 20.0, 30.0]) + along * NORMAL]
    header.PixelData = pixels.tobytes()
    for tag, value in changes.items():
        setattr(header, tag, value)
    header.save_as(path, enforce_file_format=True)


def write_series(folder, array):
    """Slices along the third axis of an array (x, y, z), each called by its number."""
    folder.mkdir()
    uid, same = generate_uid(), {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    for place in range(array.shape[2]):
        pixels = np.ascontiguousarray(array[:, :, place].T)
        write(folder / f"{place:03d}.dcm", pixels, place * STEP, uid, **same)
