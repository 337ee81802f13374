package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"tapetum.dev/tapetum/internal/controlplane/assets"
)

const (
	// startTimeout is generous: a busy machine with two cores needs up to a
	// minute for what an idle one does in five seconds.
	startTimeout = 3 * time.Minute
	// stopGrace is how long a process may take to end by itself. Longer would
	// buy nothing: etcd's log has every write already.
	stopGrace = 10 * time.Second
	// portAttempts is how often another port is tried when somebody took the
	// one that was free a moment ago.
	portAttempts = 5
)

// Options say where a control plane finds its binaries and keeps its data.
type Options struct {
	// Assets is the folder with kube-apiserver and etcd. Empty: what
	// assets.Find finds.
	Assets string
	// Dir keeps data, certificates and logs. Empty: a temporary folder, removed
	// by Stop. A folder that is given stays, and a later Start on it goes on
	// with its data.
	Dir string
	// Log receives the output of both processes; it is also kept in Dir while
	// that exists.
	Log io.Writer
	// APIServerArgs are further flags of kube-apiserver, such as those of an
	// audit log.
	APIServerArgs []string
}

// ControlPlane is a running etcd and kube-apiserver.
type ControlPlane struct {
	binaries string
	scratch  *scratch
	pki      *pki
	log      io.Writer
	apiArgs  []string
	config   *rest.Config
	apiPort  int
	etcdURL  string

	// life ends at Stop, or with the context given to Start.
	life context.Context //nolint:containedctx // the life of the processes
	end  context.CancelFunc

	mu      sync.Mutex
	etcd    *process
	api     *process
	stopped bool
}

// Start starts etcd and kube-apiserver and waits until they serve. The control
// plane lives until Stop, until ctx ends, or, on Linux, until this process dies
// in whatever way. The error wraps assets.ErrMissing where there are no
// binaries, and has the end of the log where a process did not come up.
func Start(ctx context.Context, o Options) (*ControlPlane, error) {
	binaries, err := assets.Find(o.Assets)
	if err != nil {
		return nil, err
	}
	dir, err := newScratch(o.Dir)
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{binaries: binaries, scratch: dir, log: o.Log, apiArgs: o.APIServerArgs}
	c.life, c.end = context.WithCancel(ctx)
	if err := c.start(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	context.AfterFunc(c.life, func() { _ = c.Stop() })
	return c, nil
}

func (c *ControlPlane) start() error {
	ctx, cancel := context.WithTimeout(c.life, startTimeout)
	defer cancel()

	var err error
	if c.pki, err = newPKI(c.scratch.dir); err != nil {
		return fmt.Errorf("certificates of the control plane: %w", err)
	}
	c.etcd, err = onFreePort(func(port int) (*process, error) {
		c.etcdURL = localURL(port)
		return c.startEtcd(ctx, port)
	})
	if err != nil {
		return err
	}
	c.api, err = onFreePort(func(port int) (*process, error) {
		c.apiPort = port
		return c.startAPIServer(ctx)
	})
	if err != nil {
		return err
	}
	if c.config, err = c.pki.restConfig(localURL(c.apiPort)); err != nil {
		return err
	}
	return WriteKubeconfig(c.Kubeconfig(), c.config)
}

// Config returns a configuration with the rights of a cluster administrator,
// without a limit on the client's side. The caller may change it.
func (c *ControlPlane) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Kubeconfig returns the path of a kubeconfig file with the rights of a cluster
// administrator. Only this user may read it; Stop removes it with a temporary
// folder.
func (c *ControlPlane) Kubeconfig() string {
	return filepath.Join(c.scratch.dir, "kubeconfig")
}

// StopAPI stops kube-apiserver and leaves etcd and its data as they are:
// clients get "connection refused" until StartAPI. Stopped already: nil.
func (c *ControlPlane) StopAPI() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopAPI()
}

func (c *ControlPlane) stopAPI() error {
	if c.api == nil {
		return nil
	}
	err := c.api.stop(stopGrace)
	c.api = nil
	return err
}

// StartAPI starts kube-apiserver again after StopAPI, on the same port and with
// the same certificates, and waits until it serves. Running already: nil.
func (c *ControlPlane) StartAPI() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return errors.New("the control plane is stopped: start a new one")
	}
	if c.api != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.life, startTimeout)
	defer cancel()
	api, err := c.startAPIServer(ctx)
	if err != nil {
		return fmt.Errorf("the API server does not come back on port %d: %w", c.apiPort, err)
	}
	c.api = api
	return nil
}

// Stop ends both processes and removes the folder if it was temporary. It may
// be called more than once, and returns when both are gone.
func (c *ControlPlane) Stop() error {
	c.end() // first, or a start under way would keep us waiting
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	c.stopped = true
	// The API server first: without etcd it would retry and complain.
	err := c.stopAPI()
	if c.etcd != nil {
		err = errors.Join(err, c.etcd.stop(stopGrace))
	}
	return errors.Join(err, c.scratch.remove())
}
