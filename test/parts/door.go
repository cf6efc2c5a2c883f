package parts

import "fmt"

// CertifiedDoor is a door that only one proxy may come to.
type CertifiedDoor struct {
	CA    *CA
	Proxy Pair     // what that proxy has to show
	Args  []string // of agentauth
}

// NewCertifiedDoor makes an authority and the certificates of a door and of the proxy of this DNS name, and writes
// what agentauth needs into dir: door.crt, door.key and ca.crt. The door is agentauth.agentauth-system.svc.
func NewCertifiedDoor(dir, proxy string) (d CertifiedDoor, err error) {
	if d.CA, err = NewCA("test"); err != nil {
		return d, err
	}
	door, err := d.CA.Server("agentauth.agentauth-system.svc")
	if err != nil {
		return d, err
	}
	cert, key, err := door.Write(dir, "door")
	if err != nil {
		return d, err
	}
	ca, err := d.CA.Write(dir, "ca")
	if err != nil {
		return d, err
	}
	d.Args = []string{"--tls-cert", cert, "--tls-key", key, "--client-ca", ca, "--client-name", proxy}
	d.Proxy, err = d.CA.Issue(Leaf{DNSNames: []string{proxy}})
	return d, err
}

// Secret is a Secret with a pair and the CA's certificate, as YAML to apply.
func (ca *CA) Secret(namespace, name string, p Pair) string {
	return fmt.Sprintf("---\n{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: %s, namespace: %s}, stringData: {ca.crt: %q, tls.crt: %q, tls.key: %q}}\n",
		name, namespace, ca.PEM, p.Cert, p.Key)
}

// LabelledConfigMap is a ConfigMap with the CA's certificate that policies may use, as YAML to apply.
func (ca *CA) LabelledConfigMap(namespace, name string) string {
	return fmt.Sprintf("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s, labels: {agentauth.dev/use: ca}}, data: {ca.crt: %q}}\n", name, namespace, ca.PEM)
}

// ConfigMap is a ConfigMap with the CA's certificate, as YAML to apply.
func (ca *CA) ConfigMap(namespace, name string) string {
	return fmt.Sprintf("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s}, data: {ca.crt: %q}}\n", name, namespace, ca.PEM)
}
