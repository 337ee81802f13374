package controlplane

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"tapetum.dev/tapetum/internal/controlplane/assets"
)

func (c *ControlPlane) startEtcd(ctx context.Context, port int) (*process, error) {
	peerPort, err := freePort()
	if err != nil {
		return nil, err
	}
	peerURL := localURL(peerPort)
	p, err := run(c.scratch.dir, filepath.Join(c.binaries, assets.Etcd), []string{
		"--name=tapetum",
		"--data-dir=" + filepath.Join(c.scratch.dir, "etcd"),
		"--listen-client-urls=" + localURL(port),
		"--advertise-client-urls=" + localURL(port),
		// There are no peers, but etcd cannot do without the port.
		"--listen-peer-urls=" + peerURL,
		"--initial-advertise-peer-urls=" + peerURL,
		"--initial-cluster=tapetum=" + peerURL,
		"--cert-file=" + c.pki.server.cert,
		"--key-file=" + c.pki.server.key,
		"--client-cert-auth",
		"--trusted-ca-file=" + c.pki.caPath,
		"--peer-cert-file=" + c.pki.server.cert,
		"--peer-key-file=" + c.pki.server.key,
		"--peer-client-cert-auth",
		"--peer-trusted-ca-file=" + c.pki.caPath,
		// The data need not survive a power loss, only our processes.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}, c.log)
	if err != nil {
		return nil, err
	}
	return p, c.awaitHTTP(ctx, p, c.pki.etcdClient, localURL(port)+"/readyz")
}

func (c *ControlPlane) startAPIServer(ctx context.Context) (*process, error) {
	p, err := run(c.scratch.dir, filepath.Join(c.binaries, assets.APIServer), append([]string{
		"--etcd-servers=" + c.etcdURL,
		"--etcd-cafile=" + c.pki.caPath,
		"--etcd-certfile=" + c.pki.etcdClient.cert,
		"--etcd-keyfile=" + c.pki.etcdClient.key,
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(c.apiPort),
		"--advertise-address=" + loopback,
		// Loopback may not be in an Endpoints object, and nobody needs it.
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + c.pki.server.cert,
		"--tls-private-key-file=" + c.pki.server.key,
		"--client-ca-file=" + c.pki.caPath,
		// Authorization and node restriction as kubeadm sets them up.
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		// Both count on controllers that do not run here: every pod would need
		// a service account first, every new node would keep a not-ready taint.
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.pki.tokenPublic,
		"--service-account-signing-key-file=" + c.pki.tokenKey,
		"--service-cluster-ip-range=10.96.0.0/16",
	}, c.apiArgs...), c.log)
	if err != nil {
		return nil, err
	}
	return p, c.awaitHTTP(ctx, p, c.pki.admin, localURL(c.apiPort)+"/readyz?verbose")
}

// awaitHTTP waits until the URL answers 200 to the holder of a certificate.
func (c *ControlPlane) awaitHTTP(ctx context.Context, p *process, as keyPair, url string) error {
	client, err := c.pki.client(as)
	if err != nil {
		return err
	}
	return p.await(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode == http.StatusOK {
			return nil
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
		if err != nil {
			return err
		}
		return fmt.Errorf("%s: %s", response.Status, failedChecks(string(body)))
	})
}

// failedChecks keeps the lines of a verbose readyz that say what is missing.
func failedChecks(body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "[-]") {
			failed = append(failed, strings.TrimSpace(line))
		}
	}
	return strings.Join(failed, ", ")
}
