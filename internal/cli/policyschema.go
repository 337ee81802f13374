package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/yaml"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/deploy"
)

// policySchema is the schema by which the API server checks a policy.
var policySchema = sync.OnceValues(func() (*spec.Schema, error) {
	files, err := fs.Glob(deploy.CRD(), "*.yaml")
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, errors.New("no CustomResourceDefinition is built in"))
	}
	data, err := fs.ReadFile(deploy.CRD(), files[0])
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &crd); err != nil {
		return nil, err
	}
	for i := range crd.Spec.Versions {
		version := &crd.Spec.Versions[i]
		if version.Name != v1alpha1.GroupVersion.Version {
			continue
		}
		raw, err := json.Marshal(version.Schema.OpenAPIV3Schema.Properties["spec"])
		if err != nil {
			return nil, err
		}
		schema := &spec.Schema{}
		return schema, json.Unmarshal(raw, schema)
	}
	return nil, fmt.Errorf("the built-in CustomResourceDefinition has no version %s", v1alpha1.GroupVersion.Version)
})

// checkSchema refuses values that the API server would refuse by the schema. Its CEL
// rules are those of topology.Contradictions, in the same words. data is the policy as
// it was written, because a zero that was written is not the same as nothing.
func checkSchema(data []byte, policy *v1alpha1.RouteReflectorAutoscaler) error {
	schema, err := policySchema()
	if err != nil {
		return fmt.Errorf("schema of RouteReflectorAutoscaler: %w", err)
	}
	var object map[string]any
	if err := yaml.Unmarshal(data, &object); err != nil {
		return err
	}
	asked, ok := object["spec"].(map[string]any)
	if !ok {
		return nil // nothing is asked for
	}
	if _, named := asked["topology"]; named {
		asked["topology"] = string(policy.Spec.Topology) // taken in any case
	}
	result := validate.NewSchemaValidator(schema, nil, "spec", strfmt.Default).Validate(asked)
	var found []string
	for _, one := range result.Errors {
		found = append(found, strings.Replace(one.Error(), " in body", "", 1))
	}
	if len(found) == 0 {
		return nil
	}
	slices.Sort(found)
	return errors.New(strings.Join(found, "; "))
}
