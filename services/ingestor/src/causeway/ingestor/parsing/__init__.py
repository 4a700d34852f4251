"""Bytes of a document to blocks of text with headings and pages: `document.parse` is the way in."""
