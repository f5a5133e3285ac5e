"""RTMP bytes in, LL-HLS parts out; no SQL, no users, no HTTP."""
