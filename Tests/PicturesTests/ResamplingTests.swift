import Testing

@testable import Pictures

/// Resizing against Pillow 13, bit for bit.
@Suite struct ResamplingTests {
  /// Noise from a linear congruential generator.
  private func noise(_ width: Int, _ height: Int, seed: UInt32) -> RGBImage {
    var state = seed
    let values = (0..<width * height * 3).map { _ -> UInt8 in
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt8(state >> 24)
    }
    return RGBImage(width: width, height: height, values: values)
  }

  private static let sizes = [
    [31, 23, 62, 46], [31, 23, 17, 11], [31, 23, 31, 9], [31, 23, 50, 23], [40, 90, 37, 20],
    [40, 90, 20, 60], [90, 40, 140, 28], [1, 1, 5, 7], [64, 3, 2, 90], [100, 100, 80, 60],
    [100, 100, 80, 59],
  ]

  /// Both orders of rows and columns, both directions; the hashes are those of Pillow's results.
  @Test(
    arguments: [
      (31, 23, 62, 46, .box, 0x546B_EE98_4D3D_E441),
      (31, 23, 17, 11, .box, 0xE800_28C7_796F_3CED),
      (40, 90, 37, 20, .box, 0xE854_9894_F0DE_F603),
      (100, 100, 80, 60, .box, 0x9DF0_CCAA_C2C4_9B85),
      (31, 23, 62, 46, .bilinear, 0xC4C7_EFF6_0DF8_9641),
      (31, 23, 17, 11, .bilinear, 0x210A_1266_1E7D_B492),
      (40, 90, 37, 20, .bilinear, 0x15E9_FFE2_428A_E1A4),
      (100, 100, 80, 60, .bilinear, 0x05CD_0E3D_5163_EF90),
      (31, 23, 62, 46, .hamming, 0xF611_E5C8_BBAE_DAEF),
      (31, 23, 17, 11, .hamming, 0x1A63_43B2_570D_9594),
      (40, 90, 37, 20, .hamming, 0xBB6E_AB3A_977E_6849),
      (100, 100, 80, 60, .hamming, 0x6769_1014_BDD2_CD64),
      (31, 23, 62, 46, .bicubic, 0xAA65_65A3_F482_0797),
      (31, 23, 17, 11, .bicubic, 0x2EDE_FE7D_8BF9_0945),
      (31, 23, 31, 9, .bicubic, 0x3754_FE91_E171_C4F8),
      (31, 23, 50, 23, .bicubic, 0xBCB1_2AF9_70B4_4042),
      (40, 90, 37, 20, .bicubic, 0x1410_0079_887D_CCF9),
      (40, 90, 20, 60, .bicubic, 0xC48C_B983_DDC8_4620),
      (90, 40, 140, 28, .bicubic, 0x45D3_E76A_2EA3_8673),
      (1, 1, 5, 7, .bicubic, 0xFF4A_76BE_F642_94A9),
      (64, 3, 2, 90, .bicubic, 0x1EE1_C1F0_C21D_F73A),
      (100, 100, 80, 60, .bicubic, 0x4B99_1EC8_AC97_14A9),
      (100, 100, 80, 59, .bicubic, 0xA92F_EE14_9916_041A),
      (31, 23, 62, 46, .lanczos, 0x895D_0619_4AD9_52DF),
      (31, 23, 17, 11, .lanczos, 0xDD27_7D53_B8AB_CC44),
      (31, 23, 31, 9, .lanczos, 0xD865_8A0C_6AE1_41E0),
      (31, 23, 50, 23, .lanczos, 0x7A60_DAC7_735A_37A9),
      (40, 90, 37, 20, .lanczos, 0x2E05_6429_A692_5834),
      (40, 90, 20, 60, .lanczos, 0x8D5F_45CD_314A_1C03),
      (90, 40, 140, 28, .lanczos, 0x296B_CA44_212C_4EB9),
      (1, 1, 5, 7, .lanczos, 0xFF4A_76BE_F642_94A9),
      (64, 3, 2, 90, .lanczos, 0x1E3D_009B_0A91_A514),
      (100, 100, 80, 60, .lanczos, 0x2BBB_21EF_CC8C_0ECD),
      (100, 100, 80, 59, .lanczos, 0x7378_1A61_495D_8B8F),
    ] as [(Int, Int, Int, Int, ResamplingFilter, UInt64)])
  func equalsPillow(
    _ width: Int, _ height: Int, _ newWidth: Int, _ newHeight: Int, _ filter: ResamplingFilter,
    _ hash: UInt64
  ) throws {
    let number = try #require(Self.sizes.firstIndex(of: [width, height, newWidth, newHeight]))
    let image = noise(width, height, seed: UInt32(7 + number))
    let resized = image.resized(width: newWidth, height: newHeight, filter: filter)
    #expect(resized.width == newWidth && resized.height == newHeight)
    #expect(resized.values.hash64 == hash)
  }

  @Test(arguments: ResamplingFilter.allCases) func constantImagesStay(_ filter: ResamplingFilter) {
    let image = RGBImage(
      width: 7, height: 5, values: (0..<35).flatMap { _ in [0, 255, 77] as [UInt8] })
    let resized = image.resized(width: 19, height: 3, filter: filter)
    #expect(resized.values == (0..<57).flatMap { _ in [0, 255, 77] as [UInt8] })
    #expect(image.resized(width: 7, height: 5, filter: filter) == image)
  }
}
