"""Reasons in Korean (한국어)."""

from __future__ import annotations

EMOTIONS: dict[str, str] = {
    "angry": "분노",
    "disgust": "혐오",
    "happy": "행복",
    "neutral": "무표정",
    "sad": "슬픔",
    "surprise": "놀람",
    "fear": "두려움",
    "contempt": "경멸",
}

AUS: dict[str, str] = {
    "AU01": "안쪽 눈썹 올리기",
    "AU02": "바깥쪽 눈썹 올리기",
    "AU04": "눈썹 내리기",
    "AU05": "윗눈꺼풀 올리기",
    "AU06": "뺨 올리기",
    "AU07": "눈꺼풀 조이기",
    "AU09": "코 찡그리기",
    "AU10": "윗입술 올리기",
    "AU12": "입꼬리 당기기",
    "AU14": "보조개 만들기",
    "AU15": "입꼬리 내리기",
    "AU17": "턱 올리기",
    "AU20": "입술 옆으로 늘이기",
    "AU23": "입술 조이기",
    "AU25": "입술 벌리기",
    "AU26": "턱 내리기",
    "AU28": "입술 말아 넣기",
    "AU45": "눈 깜박이기",
}

TEXTS: dict[str, str] = {
    # 얼굴 하나
    "answer": "{emotion}, {share}",
    "next": "다음은 {others}",
    "labelled": "라벨은 {emotion}",
    "unanswered": "{image}: 답 없음 ({status}{reason})",
    "why": "왜 {emotion}인가? 기준에서 {base}, 이 얼굴에서 {face}.",
    "why_not": "왜 {emotion:이/가} 아닌가? 기준에서 {base}, 이 얼굴에서 {face}.",
    "towards": "{emotion} 쪽으로 {share}",
    "away": "{emotion} 반대쪽으로 {share}",
    "rest": "나머지 {n}개 합계: {share}",
    "sum": "모두 합하면: {share}",
    "is_baseline": "이 얼굴은 기준과 같습니다. 기준과 다른 AU가 없습니다.",
    # FACS
    "prototype": "{emotion}의 FACS 원형: 나타난 AU {there}, 나타나지 않은 AU {missing}, 일치도 "
    "{agreement}.",
    "prototype_neutral": "{emotion}의 FACS 원형: 모든 AU가 낮음, 일치도 {agreement}.",
    "prototype_share": "{emotion} 쪽으로 작용한 기여의 {share}가 원형의 AU(선택적 AU 포함)에서 "
    "나왔습니다.",
    "prototype_best": "이 얼굴은 {emotion}의 원형과 가장 잘 맞습니다.",
    "none": "없음",
    # 가장 작은 변화
    "change_any": "답이 바뀌는 가장 작은 변화: {changes}. 그러면 답은 {emotion}, {share}.",
    "change_to": "답이 {emotion:으로/로} 바뀌는 가장 작은 변화: {changes}. 그러면 {share}.",
    "no_change_any": "AU를 {n}개까지 바꾸어도 답이 달라지는 변화를 찾지 못했습니다.",
    "no_change_to": "AU를 {n}개까지 바꾸어도 답이 {emotion:이/가} 되는 변화를 찾지 못했습니다.",
    # 이미지 모델
    "looked": "{emotion:이라는/라는} 답에서 모델이 본 곳의 비중은 그림의 위쪽 3분의 1이 {upper}, "
    "가운데가 {middle}, 아래쪽이 {lower}입니다. 가장 중요한 곳을 가리면 {emotion}의 확률이 "
    "{most}%p 낮아집니다.",
    "looked_nowhere": "그림의 어느 부분을 가려도 {emotion}의 확률은 낮아지지 않습니다.",
    # 비교 기준
    "baseline": "기준: {baseline}. 기준에서 모델의 답은 {answers}입니다.",
    "baseline.zero": "모든 AU가 0인 얼굴",
    "baseline.neutral": "{source} 학습에 쓰인 무표정 얼굴 {n}개의 평균",
    "baseline.row": "{source}의 얼굴",
    "baseline.mean": "{source}에 있는 얼굴 {n}개의 평균",
    "baseline.background": "{source}에 있는 얼굴 {n}개 중 {rows}개에 대한 평균",
    # 읽는 방법
    "exact": "기여는 정확하게 계산한 섀플리 값(Shapley value)입니다. 모두 더하면 이 얼굴과 기준의 "
    "차이가 됩니다.",
    "sampled": "기여는 무작위 순서 {pairs}쌍(seed {seed})으로 추정한 섀플리 값(Shapley value)이고, "
    "± 뒤의 수는 표준오차입니다. 모두 더하면 이 얼굴과 기준의 차이가 됩니다.",
    "scale.probability": "기여의 단위는 확률입니다. 1이 확실함을 뜻합니다.",
    "scale.log-odds": "기여의 단위는 로그 오즈입니다. 그 감정의 확률의 자연로그에서 모든 감정의 "
    "로그 평균을 뺀 값입니다.",
    "agreement": "원형과의 일치도는 원형에 속한 AU의 평균 강도에서 나머지 AU의 평균 강도를 뺀 "
    "값으로, -5에서 5 사이입니다(무표정은 {trace}에서 전체 평균을 뺀 값). AU는 {trace}부터 나타난 "
    "것으로 봅니다.",
    "change_rule": "가장 작은 변화는 바꾸는 AU의 수가 가장 적고, 그중 변화량의 합이 가장 작은 "
    "것입니다. AU 하나는 {one}, 둘은 {two}, 셋은 {three} 간격으로 모든 조합을 찾은 뒤 더 촘촘하게 "
    "다듬습니다. 이 간격 사이에 더 작은 변화가 있을 수 있습니다.",
    "saliency_rule": "색은 그 부분을 가렸을 때 답의 확률이 얼마나 낮아지는지(주황색) 또는 "
    "높아지는지(파란색)를 보여 줍니다. 크든 작든 그림마다 가장 강한 곳의 색이 가장 진합니다.",
    "relative": "이 모델은 그 사람을 기준으로 한 AU({rule})를 씁니다. 표시된 값은 그 차이이며, 0은 "
    "이 사람의 평소 상태를 뜻합니다.",
    "measured": "원형은 측정된 AU 그대로 비교합니다.",
    "not_measured": "원형은 차이 값으로 비교합니다. 측정된 AU를 알 수 없기 때문입니다.",
    "relative.group": "그 사람 얼굴들의 중앙값을 뺀 값",
    "relative.neutral": "그 사람의 무표정 얼굴을 뺀 값",
    "limits": "이것은 모델의 이유이지 그 사람의 이유가 아닙니다. 답이 무엇에 달려 있는지를 말할 "
    "뿐, 답이 맞는지는 말하지 않습니다. 표정은 감정이 아닙니다. 기준이 다르면 기여도 달라집니다.",
    # 보고서
    "page.title": "왜 이 표정으로 읽었는가?",
    "page.lead": "모델 {model}, 입력 {input}",
    "page.skip": "첫 번째 얼굴로",
    "page.alt": "얼굴과 그 옆에 AU별 기여. 수치는 다음 표에 있습니다.",
    "page.caption": "왼쪽: 얼굴과, 알려진 경우 그 랜드마크. 오른쪽: AU별 기여. 0의 "
    "오른쪽(주황색, +)은 그 감정 쪽, 왼쪽(파란색 빗금, −)은 그 반대쪽입니다. 눈금은 감정마다 "
    "다릅니다.",
    "page.alt_saliency": "그림과 그 옆에 모델이 본 곳.",
    "page.caption_saliency": "왼쪽: 모델이 받는 그림. 오른쪽: 모델이 본 곳. 주황색은 답 쪽, "
    "파란색은 그 반대쪽으로 작용한 부분입니다.",
    "page.picture": "이 그림",
    "page.table": "모든 얼굴",
    "page.reasons": "{emotion}에 대한 AU별 기여",
    "page.prototypes": "FACS",
    "page.changes": "무엇이 답을 바꾸는가",
    "page.how": "읽는 방법",
    "page.provenance": "출처",
    "page.unanswered": "답이 없는 얼굴",
    "column.au": "AU",
    "column.value": "이 얼굴",
    "column.baseline": "기준",
    "column.share": "기여",
    "column.error": "표준오차",
    "provenance.model": "모델",
    "provenance.measured": "AU 측정",
    "provenance.input": "입력",
    "provenance.faces": "설명한 얼굴",
    "provenance.command": "명령",
    "provenance.versions": "버전",
    "left_out": "나머지 얼굴 {n}개는 설명하지 않았습니다.",
    "all_figures": "모든 수치",
    "answer_axis": "{emotion}에 대한 기여",
    "no_picture": "그림 없음",
}
