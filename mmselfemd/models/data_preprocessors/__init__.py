"""The part of the augmentation that runs on the device, in batches."""

from .photometric_preprocessor import PhotometricPreprocessor

__all__ = ['PhotometricPreprocessor']
