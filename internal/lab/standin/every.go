package standin

import (
	"context"
	"time"
)

// Every does something again and again until ctx ends. Where it takes longer than
// the time between, what was due meanwhile is left out.
func Every(ctx context.Context, d time.Duration, do func(now time.Time)) {
	ticker := time.NewTicker(d)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			do(now)
		}
	}
}
