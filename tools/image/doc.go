// Command image puts one static binary into a container image, without a
// container daemon: an OCI layout that registries and containerd take, and an
// archive for "docker load". The same binary gives the same bytes. It then
// unpacks the image again and runs it as a container runtime would.
//
// By hand rather than with a library: an image of one layer is a tar file and
// three short JSON documents, and the library would be the larger part.
package main
