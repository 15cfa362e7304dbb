"""What a lean box says about itself."""

from bigred_broker.button import Lid
from bigred_broker.messages import BoxInfo, BoxState, LightState, VoiceState, encode

INFO = encode(
    BoxInfo(
        agent="1.0.0",
        python="3.11.2",
        model="Raspberry Pi Zero 2 W Rev 1.0",
        button="dream-cheeky",
        language="en",
        capabilities=("lid", "light", "progress", "voice"),
        to_mend=(),
    )
)
STATE = encode(
    BoxState(
        lid=Lid.CLOSED,
        button_connected=True,
        lights=LightState(healthy=True, pattern="idle"),
        voice=VoiceState(healthy=True, engine="espeak-ng", said="Ready.", count=1),
    )
)
