package bucket

import (
	"os"

	"golang.org/x/sys/unix"
)

// send begins to bring a part of a file to the disk, when what is before it is there.
// The sync at the end tells what has failed.
func send(f *os.File, from, to int64) {
	const wait = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	if from > 0 {
		_ = unix.SyncFileRange(int(f.Fd()), max(0, from-sendEvery), min(from, sendEvery), wait)
	}
	_ = unix.SyncFileRange(int(f.Fd()), from, to-from, unix.SYNC_FILE_RANGE_WRITE)
}
