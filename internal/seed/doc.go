// Package seed answers: what does the configuration of the tool that Tapetum
// follows, section routereflector of Calico's KubeControllersConfiguration, ask
// for in Tapetum's own words? What has no such words is told, never dropped in
// silence. Pure. It must not know how the section is read, nor who writes the
// RouteReflectorAutoscaler that comes out of it.
package seed
