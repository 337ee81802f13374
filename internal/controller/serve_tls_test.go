package controller

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

func TestOwnCertificate(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	own := &ownCertificate{now: func() time.Time { return now }}
	get := func() *x509.Certificate {
		t.Helper()
		got, err := own.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(got.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if now.Before(parsed.NotBefore) || !now.Add(renewBefore).Before(parsed.NotAfter.Add(time.Second)) {
			t.Errorf("at %v: valid from %v to %v", now, parsed.NotBefore, parsed.NotAfter)
		}
		return parsed
	}
	first := get()
	if err := first.VerifyHostname("tapetum.tapetum-system.svc"); err != nil {
		t.Error(err)
	}
	now = now.Add(certificateLife - renewBefore)
	if !get().Equal(first) {
		t.Error("it changes before it has to")
	}
	now = now.Add(time.Second)
	if get().Equal(first) {
		t.Error("it is not replaced before its end")
	}
}

// writeCertificate puts a certificate into a folder as a mounted Secret has it.
func writeCertificate(t *testing.T, dir string) []byte {
	t.Helper()
	made, err := selfSigned(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: made.Certificate[0]}, "tls.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return made.Certificate[0]
}

func TestMountedCertificate(t *testing.T) {
	dir := t.TempDir()
	if _, err := serverTLS(t.Context(), dir, logr.Discard()); err == nil {
		t.Fatal("a folder without a certificate is taken")
	}
	first := writeCertificate(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	config, err := serverTLS(ctx, dir, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	if config.MinVersion < tls.VersionTLS12 {
		t.Errorf("TLS from version %x on", config.MinVersion)
	}
	serves := func(want []byte) bool {
		got, err := config.GetCertificate(nil)
		return err == nil && bytes.Equal(got.Certificate[0], want)
	}
	if !serves(first) {
		t.Error("it does not serve the certificate in the folder")
	}
	second := writeCertificate(t, dir)
	for deadline := time.Now().Add(patience); !serves(second); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not take up the new certificate")
		}
	}
}
