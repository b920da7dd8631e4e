"""Pure: entitlements, SVIDs held and due, and what one caller may see."""
