package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
)

// pki is one certificate authority for the whole control plane, made anew at
// each start, and what it signed.
type pki struct {
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey
	caPath string

	server, etcdClient, admin keyPair
	// Service account tokens are signed with the one and checked with the other.
	tokenKey, tokenPublic string
}

// keyPair is a certificate with its key, as files.
type keyPair struct{ cert, key string }

// validity of the certificates. They live as long as one control plane.
const validity = 365 * 24 * time.Hour

func newPKI(dir string) (*pki, error) {
	dir = filepath.Join(dir, "pki")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &pki{caPath: filepath.Join(dir, "ca.crt")}
	if err := p.makeCA(); err != nil {
		return nil, err
	}
	for _, c := range []struct {
		into    *keyPair
		name    string
		subject pkix.Name
	}{
		// One certificate serves for etcd, for its peer port and for the API.
		{&p.server, "server", pkix.Name{CommonName: "tapetum-control-plane"}},
		{&p.etcdClient, "etcd-client", pkix.Name{CommonName: "kube-apiserver"}},
		{&p.admin, "admin", pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}},
	} {
		*c.into = keyPair{cert: filepath.Join(dir, c.name+".crt"), key: filepath.Join(dir, c.name+".key")}
		if err := p.sign(*c.into, c.subject); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	p.tokenKey, p.tokenPublic = filepath.Join(dir, "service-account.key"), filepath.Join(dir, "service-account.pub")
	return p, writeTokenKeys(p.tokenKey, p.tokenPublic)
}

func (p *pki) makeCA() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := template(pkix.Name{CommonName: "tapetum-control-plane-ca"})
	if err != nil {
		return err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if p.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	p.caKey = key
	return writePEM(p.caPath, "CERTIFICATE", der)
}

func (p *pki) sign(files keyPair, subject pkix.Name) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := template(subject)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames = []string{"localhost"}
	template.IPAddresses = []net.IP{net.ParseIP(loopback)}
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, key.Public(), p.caKey)
	if err != nil {
		return err
	}
	if err := writePEM(files.cert, "CERTIFICATE", der); err != nil {
		return err
	}
	return writeKey(files.key, key)
}

func template(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Hour), // clocks may step back
		NotAfter:     time.Now().Add(validity),
	}, nil
}

func writeTokenKeys(private, public string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writePEM(public, "PUBLIC KEY", der); err != nil {
		return err
	}
	return writeKey(private, key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// restConfig is the administrator's configuration for an address. It holds the
// certificates themselves, so it outlives the files.
func (p *pki) restConfig(host string) (*rest.Config, error) {
	config := &rest.Config{
		Host: host,
		QPS:  -1, // the server has priority and fairness
		TLSClientConfig: rest.TLSClientConfig{
			CAFile: p.caPath, CertFile: p.admin.cert, KeyFile: p.admin.key,
		},
	}
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, err
	}
	config.CAFile, config.CertFile, config.KeyFile = "", "", ""
	return config, nil
}

// client is an HTTP client that trusts only this control plane, so that a
// stranger on the port is not taken for a process that is ready.
func (p *pki) client(as keyPair) (*http.Client, error) {
	cert, err := tls.LoadX509KeyPair(as.cert, as.key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.ca)
	return &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{
				MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{cert},
			},
		},
	}, nil
}
