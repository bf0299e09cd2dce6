import Recipe

/// The architectures that recipes and weight files can name: one line each.
public enum Models: Catalogue {
  private static let all: [any Architecture.Type] = [
    DiTConfig.self,
    ClassDiTConfig.self,
    TutorialUNetConfig.self,
    PointNetworkConfig.self,
    ClassifierConfig.self,
    DetectorConfig.self,
    QwenImageConfig.self,
    ZImageConfig.self,
    SD3Config.self,
    SanaConfig.self,
    TextDiTConfig.self,
    SiTConfig.self,
  ]

  /// Those whose weights are published.
  public static let published = all.compactMap { $0 as? any PublishedTransformer.Type }

  /// The architectures by their kinds.
  public static var entries: [(name: String, entry: any Architecture.Type)] {
    all.map { ($0.kind, $0) }
  }
}
