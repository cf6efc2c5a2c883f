// Package servingcert makes the certificate of the webhook where nobody else
// does, and makes it anew in time.
//
// Certificate and key are in one Secret, [SecretName], that every replica reads
// and any may write: an update of something that changed meanwhile fails, and
// the next look begins with what is there. The ValidatingWebhookConfiguration
// gets what certificates verify to, in its entries of the name [WebhookName].
//
// Every certificate has an authority of its own, whose key is forgotten once it
// has signed. Renewing goes in steps, so that no API server ever meets a
// certificate that it cannot verify:
//
//	at 2/3 of its validity   the next one is made, and waits in the Secret; the
//	                         configuration trusts both
//	Settle after that        the next one is served by whoever reads the Secret
//	once the old one expired the configuration trusts the new one alone
//
// The time is that of the API servers, [ServerClock]. Clocks of replicas that are
// wrong all the same make no certificate that others have to wait for, or replace.
package servingcert
