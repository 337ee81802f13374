package controller

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

const (
	certificateLife = 90 * 24 * time.Hour
	// renewBefore its end a certificate of our own is replaced.
	renewBefore = 30 * 24 * time.Hour
)

// serverTLS serves the certificate in a folder (tls.crt and tls.key, as a mounted
// Secret has them), and takes up new ones; without a folder one of its own making,
// which protects against those who listen, and not against those who pretend to be
// Tapetum.
func serverTLS(ctx context.Context, dir string, log logr.Logger) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // one answer at a time is all that is asked for
	}
	if dir == "" {
		own := &ownCertificate{now: time.Now}
		config.GetCertificate = own.get
		return config, nil
	}
	watcher, err := certwatcher.New(filepath.Join(dir, corev1.TLSCertKey), filepath.Join(dir, corev1.TLSPrivateKeyKey))
	if err != nil {
		return nil, fmt.Errorf("certificate in %s: %w", dir, err)
	}
	go func() {
		if err := watcher.Start(ctx); err != nil {
			log.Error(err, "the certificate is not watched any more", "folder", dir)
		}
	}()
	config.GetCertificate = watcher.GetCertificate
	return config, nil
}

// ownCertificate makes certificates that nobody has signed, and keeps them in memory.
type ownCertificate struct {
	now func() time.Time

	mu          sync.Mutex
	certificate *tls.Certificate
	until       time.Time
}

func (o *ownCertificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.now(); o.certificate == nil || o.until.Sub(now) < renewBefore {
		certificate, err := selfSigned(now)
		if err != nil {
			return nil, err
		}
		o.certificate, o.until = certificate, now.Add(certificateLife)
	}
	return o.certificate, nil
}

func selfSigned(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: controllerName},
		DNSNames:     []string{"tapetum", "tapetum.tapetum-system.svc", "localhost"},
		NotBefore:    now.Add(-time.Hour), // clocks differ
		NotAfter:     now.Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, nil
}
