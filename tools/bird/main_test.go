package main

import "testing"

func TestVersionOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		deb, want string
		fails     bool
	}{
		{"x/bird_1.6.8-2.1+b1_amd64.deb", "1.6.8-2.1+b1", false},
		{"bird_1.6.8%2b1_arm64.deb", "1.6.8+1", false},
		{"bird_2.0.12-7_amd64.deb", "", true},
		{"bird.deb", "", true},
		{"bird_%zz_amd64.deb", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.deb, func(t *testing.T) {
			t.Parallel()
			got, err := versionOf(tt.deb)
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("versionOf = %q, %v; want %q, error %v", got, err, tt.want, tt.fails)
			}
		})
	}
}
