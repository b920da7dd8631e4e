"""Generated from workload.proto; do not edit."""

from finial.wire.pool import build as _build

_build(
    b'\n\x0eworkload.proto\x1a\x1cgoogle/protobuf/struct.proto"\x11\n\x0fX509SVIDRe'
    b'quest"\xe0\x01\n\x10X509SVIDResponse\x12\x1f\n\x05svids\x18\x01 \x03(\x0b2\t.X509SVIDR\x05svids\x12'
    b"\x10\n\x03crl\x18\x02 \x03(\x0cR\x03crl\x12T\n\x11federated_bundles\x18\x03 \x03(\x0b2'.X509SVIDRespo"
    b'nse.FederatedBundlesEntryR\x10federatedBundles\x1aC\n\x15FederatedBund'
    b'lesEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n\x05value\x18\x02 \x01(\x0cR\x05value:\x028\x01"\x94\x01\n\x08X50'
    b'9SVID\x12\x1b\n\tspiffe_id\x18\x01 \x01(\tR\x08spiffeId\x12\x1b\n\tx509_svid\x18\x02 \x01(\x0cR\x08x509S'
    b'vid\x12"\n\rx509_svid_key\x18\x03 \x01(\x0cR\x0bx509SvidKey\x12\x16\n\x06bundle\x18\x04 \x01(\x0cR\x06bun'
    b'dle\x12\x12\n\x04hint\x18\x05 \x01(\tR\x04hint"\x14\n\x12X509BundlesRequest"\xa0\x01\n\x13X509Bundle'
    b'sResponse\x12\x10\n\x03crl\x18\x01 \x03(\x0cR\x03crl\x12;\n\x07bundles\x18\x02 \x03(\x0b2!.X509BundlesRe'
    b'sponse.BundlesEntryR\x07bundles\x1a:\n\x0cBundlesEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03k'
    b'ey\x12\x14\n\x05value\x18\x02 \x01(\x0cR\x05value:\x028\x01"I\n\x0eJWTSVIDRequest\x12\x1a\n\x08audience\x18\x01'
    b' \x03(\tR\x08audience\x12\x1b\n\tspiffe_id\x18\x02 \x01(\tR\x08spiffeId"1\n\x0fJWTSVIDRespon'
    b'se\x12\x1e\n\x05svids\x18\x01 \x03(\x0b2\x08.JWTSVIDR\x05svids"N\n\x07JWTSVID\x12\x1b\n\tspiffe_id\x18\x01'
    b' \x01(\tR\x08spiffeId\x12\x12\n\x04svid\x18\x02 \x01(\tR\x04svid\x12\x12\n\x04hint\x18\x03 \x01(\tR\x04hint"\x13\n\x11JW'
    b'TBundlesRequest"\x8c\x01\n\x12JWTBundlesResponse\x12:\n\x07bundles\x18\x01 \x03(\x0b2 .JW'
    b'TBundlesResponse.BundlesEntryR\x07bundles\x1a:\n\x0cBundlesEntry\x12\x10\n\x03ke'
    b'y\x18\x01 \x01(\tR\x03key\x12\x14\n\x05value\x18\x02 \x01(\x0cR\x05value:\x028\x01"H\n\x16ValidateJWTSVIDReq'
    b'uest\x12\x1a\n\x08audience\x18\x01 \x01(\tR\x08audience\x12\x12\n\x04svid\x18\x02 \x01(\tR\x04svid"g\n\x17Vali'
    b'dateJWTSVIDResponse\x12\x1b\n\tspiffe_id\x18\x01 \x01(\tR\x08spiffeId\x12/\n\x06claims\x18\x02'
    b' \x01(\x0b2\x17.google.protobuf.StructR\x06claims"-\n\x0eWITSVIDRequest\x12\x1b\n\ts'
    b'piffe_id\x18\x01 \x01(\tR\x08spiffeId"1\n\x0fWITSVIDResponse\x12\x1e\n\x05svids\x18\x01 \x03(\x0b2\x08'
    b'.WITSVIDR\x05svids"w\n\x07WITSVID\x12\x1b\n\tspiffe_id\x18\x01 \x01(\tR\x08spiffeId\x12\x19\n\x08w'
    b'it_svid\x18\x02 \x01(\tR\x07witSvid\x12 \n\x0cwit_svid_key\x18\x03 \x01(\tR\nwitSvidKey\x12\x12\n\x04'
    b'hint\x18\x04 \x01(\tR\x04hint"\x13\n\x11WITBundlesRequest"\x8c\x01\n\x12WITBundlesResponse'
    b'\x12:\n\x07bundles\x18\x01 \x03(\x0b2 .WITBundlesResponse.BundlesEntryR\x07bundles'
    b'\x1a:\n\x0cBundlesEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n\x05value\x18\x02 \x01(\tR\x05value:\x028\x01'
    b'2\xb6\x03\n\x11SpiffeWorkloadAPI\x126\n\rFetchX509SVID\x12\x10.X509SVIDRequest\x1a\x11.'
    b'X509SVIDResponse0\x01\x12?\n\x10FetchX509Bundles\x12\x13.X509BundlesRequest\x1a'
    b'\x14.X509BundlesResponse0\x01\x121\n\x0cFetchJWTSVID\x12\x0f.JWTSVIDRequest\x1a\x10.J'
    b'WTSVIDResponse\x12<\n\x0fFetchJWTBundles\x12\x12.JWTBundlesRequest\x1a\x13.JWTB'
    b'undlesResponse0\x01\x12D\n\x0fValidateJWTSVID\x12\x17.ValidateJWTSVIDRequest'
    b'\x1a\x18.ValidateJWTSVIDResponse\x123\n\x0cFetchWITSVID\x12\x0f.WITSVIDRequest\x1a'
    b'\x10.WITSVIDResponse0\x01\x12<\n\x0fFetchWITBundles\x12\x12.WITBundlesRequest\x1a\x13'
    b'.WITBundlesResponse0\x01b\x06proto3',
    globals(),
)
