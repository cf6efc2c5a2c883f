package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/policydir"
)

// keyFiles is a directory of manifests.
type keyFiles struct{ path string }

// keyFile is a file, and the Secrets in it.
type keyFile struct {
	path    string
	data    []byte
	parts   []*part
	secrets []*fileSecret
}

// fileSecret is a Secret of a file.
type fileSecret struct {
	keySecret
	file *keyFile
	part *part
	node *node
}

// read reads the files. One that cannot be read is told only if nothing else is
// found: a mistake beside a Secret must not stop who revokes a key.
func (k *keyFiles) read() (secrets []*fileSecret, broken []string, err error) {
	if _, err := os.Stat(k.path); err != nil {
		return nil, nil, usage("--policies: %v", err)
	}
	files, problems := policydir.Files(k.path)
	for _, p := range problems {
		broken = append(broken, problemLine(p))
	}
	for _, f := range files {
		file, err := readKeyFile(f)
		if err != nil {
			broken = append(broken, fmt.Sprintf("%s: %v", f.Path, err))
			continue
		}
		secrets = append(secrets, file.secrets...)
	}
	return secrets, broken, nil
}

func readKeyFile(f manifest.File) (*keyFile, error) {
	file := &keyFile{path: f.Path, data: f.Data}
	var err error
	if file.parts, err = splitParts(f.Path, f.Data); err != nil {
		return nil, err
	}
	for _, p := range file.parts {
		for _, n := range p.objects() {
			s, err := n.secret()
			if err != nil {
				return nil, err
			}
			if s != nil && s.Labels[v1alpha1.LabelUse] == v1alpha1.UseAPIKey {
				s.Where = f.Path
				file.secrets = append(file.secrets, &fileSecret{*s, file, p, n})
			}
		}
	}
	return file, nil
}

func (k *keyFiles) list(_ context.Context, namespace string) (out []*keySecret, err error) {
	secrets, broken, err := k.read()
	if err != nil {
		return nil, err
	}
	if len(broken) > 0 {
		return nil, usage("not every file can be read, so that not every key is known: %s", strings.Join(broken, "; "))
	}
	for _, s := range secrets {
		if namespace == "" || s.Namespace == namespace {
			out = append(out, &s.keySecret)
		}
	}
	slices.SortFunc(out, func(a, b *keySecret) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return out, nil
}

func (k *keyFiles) change(_ context.Context, namespace, name string, decide func(*keySecret) (keyChange, error)) (*keySecret, error) {
	s, err := k.find(namespace, name)
	if err != nil {
		return nil, err
	}
	c, err := decide(&s.keySecret)
	if err != nil {
		return nil, err
	}
	text, err := s.edited(c)
	if err != nil {
		return nil, usage("%s: %s cannot be changed safely: %v", s.file.path, &s.keySecret, err)
	}
	if err := replaceFile(s.file.path, s.file.data, text); err != nil {
		return nil, usage("%s: %v; nothing was changed", s.file.path, err)
	}
	c.apply(&s.keySecret)
	return &s.keySecret, nil
}

func (k *keyFiles) find(namespace, name string) (*fileSecret, error) {
	secrets, broken, err := k.read()
	if err != nil {
		return nil, err
	}
	var found []*fileSecret
	for _, s := range secrets {
		if s.Name == name && (namespace == "" || s.Namespace == namespace) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		why := ""
		if len(broken) > 0 {
			why = "; these files cannot be read: " + strings.Join(broken, "; ")
		}
		return nil, usage("no Secret %s labelled %s: %s is in %s%s", strings.TrimPrefix(namespace+"/"+name, "/"), v1alpha1.LabelUse, v1alpha1.UseAPIKey, k.path, why)
	case len(found) > 1 && found[0].Namespace == found[1].Namespace:
		return nil, usage("%s is in %s and in %s; remove one", &found[0].keySecret, found[0].file.path, found[1].file.path)
	case len(found) > 1:
		return nil, usage("Secret %s is in namespaces %s and %s; name one with -n", name, found[0].Namespace, found[1].Namespace)
	}
	return found[0], nil
}

// edited is the text of the file with the change. It is read again: what else there
// is must be as it was.
func (s *fileSecret) edited(c keyChange) ([]byte, error) {
	want := s.keySecret
	want.Annotations, want.Data = maps.Clone(s.Annotations), maps.Clone(s.Data)
	c.apply(&want)
	comments, rest := s.part.comments(), s.node.rest()
	removed, err := s.node.edit(c)
	if err != nil {
		return nil, err
	}
	s.part.text, err = s.part.encode()
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, p := range s.file.parts {
		out = append(append(out, p.before...), p.text...)
	}
	again, err := readKeyFile(manifest.File{Path: s.file.path, Data: out})
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(again.secrets, func(o *fileSecret) bool { return o.Name == s.Name && o.Namespace == s.Namespace })
	if len(again.secrets) != len(s.file.secrets) || at < 0 || !want.equals(&again.secrets[at].keySecret) || !bytes.Equal(again.secrets[at].node.rest(), rest) {
		return nil, fmt.Errorf("the text would mean something else than is meant; edit it by hand")
	}
	if lost := lostComments(comments, removed, again.secrets[at].part.comments()); lost != "" {
		return nil, fmt.Errorf("a comment would be lost (%q); edit it by hand", lost)
	}
	return out, nil
}

func (s *keySecret) equals(o *keySecret) bool {
	same := len(s.Annotations) == len(o.Annotations) && len(s.Data) == len(o.Data)
	for k, v := range s.Annotations {
		same = same && o.Annotations[k] == v
	}
	for k, v := range s.Data {
		other, ok := o.Data[k]
		same = same && ok && bytes.Equal(other, v)
	}
	return same
}

// replaceFile puts a text in the place of a file at once, if the file holds what it
// held.
func replaceFile(path string, before, after []byte) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if strings.Contains(target, string(filepath.Separator)+"..") {
		return fmt.Errorf("it is in a mounted volume; change the Secret or ConfigMap that is mounted")
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(target), ".agentauth-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // it is renamed, or of no use
	_, err = tmp.Write(after)
	for _, then := range []func() error{func() error { return tmp.Chmod(info.Mode().Perm()) }, tmp.Sync, tmp.Close} {
		if e := then(); err == nil {
			err = e
		}
	}
	if err != nil {
		return err
	}
	now, err := os.ReadFile(target) // #nosec G304 -- the owner's directory
	if err != nil {
		return err
	}
	if !bytes.Equal(now, before) {
		return fmt.Errorf("it changed meanwhile; try again")
	}
	return os.Rename(tmp.Name(), target)
}
