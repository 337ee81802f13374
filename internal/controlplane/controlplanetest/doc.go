// Package controlplanetest gives tests a control plane, or skips them where
// there are no binaries for one. Only tests may import it.
package controlplanetest
