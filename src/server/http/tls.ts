/** Certificate and key of the server: read and tried out at the start, so that a wrong file is told then and not to the first client. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { SluiceError } from '../../errors.ts';

export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Reads both files. @throws SLUICE_USAGE for one without the other, one that can't be read, and for two that don't fit */
export function readTls(certFile: string | undefined, keyFile: string | undefined): TlsMaterial | undefined {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new SluiceError('SLUICE_USAGE', 'TLS needs a certificate and its key.', { hint: 'Give both: --cert cert.pem --key key.pem' });
  }
  const material = { cert: readPem(certFile, 'CERTIFICATE'), key: readPem(keyFile, 'PRIVATE KEY') };
  try {
    createSecureContext(material);
  } catch (cause) {
    throw new SluiceError('SLUICE_USAGE', `The certificate ${certFile} and the key ${keyFile} can't be used together.`, {
      cause,
      hint: 'Check that the key belongs to the certificate, and that it has no passphrase.',
    });
  }
  return material;
}

function readPem(file: string, kind: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new SluiceError('SLUICE_USAGE', `The file ${file} can't be read.`, { cause, hint: 'Name a PEM file that this user may read.' });
  }
  if (!bytes.includes('-----BEGIN ') || !bytes.includes(kind)) {
    throw new SluiceError('SLUICE_USAGE', `The file ${file} holds no ${kind} in PEM form.`, {
      hint: 'openssl converts other forms, for example: openssl x509 -inform der -in cert.der -out cert.pem',
    });
  }
  return bytes;
}
