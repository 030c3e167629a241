#include "suiren/base/digest.h"

#include "suiren/base/error.h"

#ifndef SUIREN_CORE_ONLY
#include <openssl/evp.h>
#endif

namespace suiren {

#ifdef SUIREN_CORE_ONLY
Sha256::Sha256() { fail(ErrorCode::kUnsupported, "SHA-256 needs libcrypto, which this build has not"); }
Sha256::~Sha256() = default;
void Sha256::update(const void*, size_t) {}
std::string Sha256::hex() { return {}; }
#else
Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  SR_CHECK_AS(kInternal,
              context_ && EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr) == 1,
              "libcrypto has no SHA-256");
}

Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }

void Sha256::update(const void* data, size_t size) {
  EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), data, size);
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest, &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i)
    for (int nibble : {digest[i] >> 4, digest[i] & 15}) text += "0123456789abcdef"[nibble];
  return text;
}
#endif

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  return hash.hex();
}

}  // namespace suiren
