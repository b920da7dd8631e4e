"""SVIDs are issued: drafted, judged, sealed, written down."""
