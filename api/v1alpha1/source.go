package v1alpha1

// What a RouteReflectorAutoscaler that is kept in step with another object says of it.
const (
	// SourceKubeControllers is the value of SourceAnnotation for section
	// spec.controllers.routereflector of Calico's KubeControllersConfiguration
	// "default".
	SourceKubeControllers = "KubeControllersConfiguration/default"

	// ConditionSource: the specification says what the object named by
	// SourceAnnotation asks for. The message has what could not be taken as it is.
	// Absent where there is no such annotation.
	ConditionSource = "SourceInStep"
)
