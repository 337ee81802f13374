package controlplane

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// scratchPrefix begins the name of every temporary folder of a control plane.
const scratchPrefix = "tapetum-controlplane-"

// scratch is the folder of a control plane. While it is in use its lock file is
// locked, so a folder whose owner was killed can be told from one in use.
type scratch struct {
	dir       string
	temporary bool
	lock      *os.File
}

// newScratch takes the folder, or makes a temporary one if dir is empty; then it
// also removes those of killed predecessors, each of which has some 64 MB.
func newScratch(dir string) (*scratch, error) {
	s := &scratch{dir: dir}
	var err error
	if dir == "" {
		sweep(os.TempDir())
		s.temporary = true
		s.dir, err = os.MkdirTemp("", scratchPrefix)
	} else if s.dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(s.dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("folder of the control plane: %w", err)
	}
	if s.lock, err = lock(s.dir); err != nil {
		return nil, fmt.Errorf("folder of the control plane: %s is in use by another: %w", s.dir, err)
	}
	return s, nil
}

// remove gives the folder up, and removes it if it was temporary.
func (s *scratch) remove() error {
	defer func() { _ = s.lock.Close() }()
	if !s.temporary {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// lock takes the lock of a folder until the file is closed, at the latest when
// this process ends.
func lock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// sweep removes the temporary folders that nobody uses any more. What it cannot
// remove, such as another user's, it leaves.
func sweep(parent string) {
	stale, _ := filepath.Glob(filepath.Join(parent, scratchPrefix+"*"))
	for _, dir := range stale {
		// Its owner may be just about to lock it.
		info, err := os.Stat(filepath.Join(dir, "lock"))
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		if file, err := lock(dir); err == nil {
			_ = os.RemoveAll(dir)
			_ = file.Close()
		}
	}
}
